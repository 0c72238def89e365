/** The numbers behind a chart: shown as a table, saved as CSV. */
export interface Table {
  /** The first heads the rows' names. */
  columns: readonly string[];
  rows: readonly { name: string; values: readonly (number | null)[] }[];
  /** How a number is shown; CSV holds it in full. */
  format: (value: number) => string;
}

/** A table as CSV; a missing number is an empty field. */
export function csv({ columns, rows }: Table): string {
  return lines([columns, ...rows.map(({ name, values }) => [name, ...values])]);
}

/**
 * RFC 4180: fields with commas, quotes or line ends are in quotes. Text that a spreadsheet would take for a formula has an apostrophe in
 * front; numbers are as they are, a missing one is empty.
 */
export function lines(rows: readonly (readonly (string | number | null)[])[]): string {
  const field = (value: string | number | null) => {
    if (typeof value !== 'string') return value === null ? '' : String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((fields) => `${fields.map(field).join(',')}\r\n`).join('');
}
