/** The numbers behind a chart: shown as a table, saved as CSV. */
export interface Table {
  /** The first heads the rows' names. */
  columns: readonly string[];
  rows: readonly { name: string; values: readonly (number | null)[] }[];
  /** How a number is shown; CSV holds it in full. */
  format: (value: number) => string;
}

/** RFC 4180: one line per row, fields with commas, quotes or line ends in quotes, an empty field for what is missing. */
export function csv({ columns, rows }: Table): string {
  const field = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = rows.map(({ name, values }) => [name, ...values.map((value) => (value === null ? '' : String(value)))]);
  return [[...columns], ...lines].map((fields) => `${fields.map(field).join(',')}\r\n`).join('');
}
