// @vitest-environment jsdom
import { EditorView } from '@codemirror/view';
import type { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { expect, it, vi } from 'vitest';
import { marking, marksOf } from '../src/marking';

/** The expressions that are marked. */
function marked(text: string): string[] | undefined {
  return marksOf(text)?.expressions.map(([from, to]) => text.slice(from, to));
}

it.each(['', '1 + 1', '# %%alcf_chat', '%%alcf_chats\nx', '%%alcf_embed\n{{x}}', ' %%alcf_chat'])(
  'leaves other cells alone: %j',
  text => {
    expect(marksOf(text)).toBeNull();
  }
);

it('marks the line of the magic, and the expressions after it', () => {
  const text = '%%alcf_chat -s "{{no}}"\nSum of {{x}} and {{ d["a"] + {1: 2}[1] }}.';
  expect(marksOf(text)?.line).toBe(text.indexOf('\n'));
  expect(marked(text)).toEqual(['{{x}}', '{{ d["a"] + {1: 2}[1] }}']);
});

it('marks no literal, nothing that is open, and nothing where variables are left alone', () => {
  expect(marked('%%alcf_chat\n\\{{x}} {{y} {z} {{}}')).toEqual([]);
  expect(marked('%%alcf_chat --no-vars\n{{x}}')).toEqual([]);
  expect(marked('%%alcf_chat')).toEqual([]);
});

it('reads a long text in time that grows with its length', () => {
  const took = Array.from({ length: 5 }, () => {
    const start = performance.now();
    expect(marked(`%%alcf_chat\n${'{{'.repeat(50_000)}`)).toEqual([]);
    expect(marked(`%%alcf_chat\n${'{{a '.repeat(20_000)}`)).toEqual([]);
    return performance.now() - start;
  });
  // what a busy machine adds is not its own: the shortest has the least of that
  expect(Math.min(...took)).toBeLessThan(500);
});

it('wraps the lines of a cell as long as it is a chat cell', async () => {
  const languages = { getLanguage: () => Promise.resolve(null) };
  const extensions = marking(languages as unknown as IEditorLanguageRegistry);
  const view = new EditorView({ doc: 'x = 1', extensions });
  const wraps = (): boolean => view.contentDOM.classList.contains('cm-lineWrapping');
  expect(wraps()).toBe(false);
  view.dispatch({ changes: { from: 0, to: 5, insert: '%%alcf_chat\nA paragraph' } });
  await vi.waitFor(() => expect(wraps()).toBe(true));
  view.dispatch({ changes: { from: 0, to: 2 } });
  await vi.waitFor(() => expect(wraps()).toBe(false));
  view.destroy();
});
