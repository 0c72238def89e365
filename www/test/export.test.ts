import { expect, test } from 'vitest';
import { withoutVariables } from '../src/lib/save';
import { csv } from '../src/lib/table';

test('CSV holds full numbers, empty fields for missing ones, and quotes where needed', () => {
  const table = {
    columns: ['Unit, by depth', 'now'],
    rows: [
      { name: 'SK_2_1', values: [0.123456789] },
      { name: 'the "last"', values: [null] },
    ],
    format: (value: number) => value.toFixed(1),
  };
  expect(csv(table)).toBe('"Unit, by depth",now\r\nSK_2_1,0.123456789\r\n"the ""last""",\r\n');
});

test('text that a spreadsheet would compute is kept from it, numbers are not', () => {
  const names = ['=HYPERLINK("https://attacker.example/","photo")', '+1', '-1', '@SUM(A1)', '\tcmd', 'a=b'];
  const table = { columns: ['=1', 'now'], rows: names.map((name) => ({ name, values: [-0.5] })), format: String };
  expect(csv(table).split('\r\n')).toEqual([
    "'=1,now",
    `"'=HYPERLINK(""https://attacker.example/"",""photo"")",-0.5`,
    "'+1,-0.5",
    "'-1,-0.5",
    "'@SUM(A1),-0.5",
    "'\tcmd,-0.5",
    'a=b,-0.5',
    '',
  ]);
});

test('a drawing keeps its colours without the page', () => {
  const colours: Record<string, string> = { '--ink': '#111', '--small-tint': '#eef' };
  expect(withoutVariables('<path stroke="var(--ink)" fill="var(--small-tint)"/>', (name) => colours[name] ?? '')).toBe(
    '<path stroke="#111" fill="#eef"/>',
  );
});
