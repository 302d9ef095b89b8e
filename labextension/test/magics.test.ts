import { describe, expect, it } from 'vitest';
import { chatCell, loads, speaksOfUs, word } from '../src/magics';

describe('names on a magic line', () => {
  it.each([
    ['openai/gpt-oss-120b', 'openai/gpt-oss-120b'],
    ['with a blank', "'with a blank'"],
    ["it's", `'it'"'"'s'`],
    ['$(x) {y} "z" \\', `'$(x) {y} "z" \\'`]
  ])('%s', (name, expected) => {
    expect(word(name)).toBe(expected);
  });

  it.each(['', '-m', 'two\nlines', 'nul\0', 'right\u202Eleft', 'a\u2028b'])('refuses %j', name => {
    expect(word(name)).toBeNull();
    expect(chatCell('model', name) === null || name === '').toBe(true);
    expect(chatCell(name, 'sophia')).toBeNull();
  });
});

it('a chat cell names its model, and its cluster where that is known', () => {
  expect(chatCell('a/b', 'sophia')).toBe('%%alcf_chat -m a/b -c sophia\n');
  expect(chatCell('a/b', '')).toBe('%%alcf_chat -m a/b\n');
});

it('knows cells that are about this package', () => {
  expect(
    ['import alcf_jupyter as alcf', '%alcf use x', '%%alcf_chat', 'ALCF'].map(speaksOfUs)
  ).toEqual(Array(4).fill(true));
  expect(['balcfast', 'print(1)'].some(speaksOfUs)).toBe(false);
  expect(loads('import os\n %load_ext alcf_jupyter \n')).toBe(true);
  expect(loads('%reload_ext alcf_jupyter')).toBe(true);
  expect(loads('# %load_ext alcf_jupyter')).toBe(false);
});
