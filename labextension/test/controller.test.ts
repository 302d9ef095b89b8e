// @vitest-environment jsdom
import { Signal } from '@lumino/signaling';
import { expect, it, vi } from 'vitest';
import type { Links } from '../src/links';
import type { Reply } from '../src/messages';

vi.mock('../src/cells', () => ({ hasLoad: () => false }));
// Lumino has to know of it, and jsdom has none
vi.stubGlobal('DragEvent', class extends Event {});

it('tells an answer only as long as the kernel that gave it is in front', async () => {
  const { Controller } = await import('../src/controller');
  const answers: ((reply: Reply) => void)[] = [];
  const kernel = {
    standing: { is: 'open' },
    known: {},
    slow: false,
    ask: () => new Promise<Reply>(resolve => answers.push(resolve))
  };
  const page = { current: kernel, notebook: null, watch: () => undefined };
  const links = Object.assign(page, { changed: new Signal(page), trouble: new Signal(page) });
  const { panel, actions } = new Controller(links as unknown as Links, null, null);
  const told = panel.node.querySelector('.alcf-told');
  const answer = async (said: string): Promise<void> => {
    answers.pop()?.({ type: 'reply', to: 1, said, error: null });
    await Promise.resolve();
  };
  actions.refresh('models');
  await answer('It is done.');
  expect(told?.textContent).toMatch('It is done.');
  actions.refresh('models');
  links.current = { ...kernel };
  await answer('It is done for another.');
  expect(told?.textContent).not.toMatch('another');
});
