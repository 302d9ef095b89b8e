// @vitest-environment jsdom
import { Signal } from '@lumino/signaling';
import { expect, it, vi } from 'vitest';
import type { Controller } from '../src/controller';
import type { Links } from '../src/links';
import type { Model, Reply } from '../src/messages';

vi.mock('../src/cells', () => ({ hasLoad: () => false }));
// Lumino has to know of it, and jsdom has none
vi.stubGlobal('DragEvent', class extends Event {});

interface Page {
  links: { current: object };
  controller: Controller;
  told: Element | null;
  /** Have the kernel answer the last question. */
  answer: (said: string) => Promise<void>;
}

async function page(): Promise<Page> {
  const { Controller } = await import('../src/controller');
  const answers: ((reply: Reply) => void)[] = [];
  const kernel = {
    standing: { is: 'open' },
    known: {},
    slow: false,
    ask: () => new Promise<Reply>(resolve => answers.push(resolve))
  };
  const own = { current: kernel, notebook: null, watch: () => undefined };
  const links = Object.assign(own, { changed: new Signal(own), trouble: new Signal(own) });
  const controller = new Controller(links as unknown as Links, null, null);
  const told = controller.panel.node.querySelector('.alcf-told');
  const answer = async (said: string): Promise<void> => {
    answers.pop()?.({ type: 'reply', to: 1, said, line: '', error: null });
    await Promise.resolve();
  };
  return { links, controller, told, answer };
}

it('tells an answer only as long as the kernel that gave it is in front', async () => {
  const { links, controller, told, answer } = await page();
  const { actions } = controller;
  actions.refresh('models');
  await answer('It is done.');
  expect(told?.textContent).toMatch('It is done.');
  actions.refresh('models');
  links.current = { ...links.current };
  await answer('It is done for another.');
  expect(told?.textContent).not.toMatch('another');
});

it('keeps what was pressed in sight when the answer takes room, and forgets it with the model', async () => {
  const { controller, told, answer } = await page();
  const { actions, panel } = controller;
  const scrolled: (string | undefined)[] = [];
  Element.prototype.scrollIntoView = function () {
    scrolled.push(this.querySelector('.alcf-selected')?.textContent, told?.textContent);
  };
  const known = ['a', 'b'].map(id => {
    const able = { starts: true, can_chat: true, can_embed: true };
    return { id, cluster: 'c', state: 'Live' as const, note: '', ...able, facts: [] };
  });
  const models = { checked: 0, followed: true, note: '', warnings: [], models: known };
  panel.showPart('models', { models: { type: 'models', ...models } });
  const [one, other] = [...panel.node.querySelectorAll<HTMLElement>('[role=option]')];
  one?.click();
  scrolled.length = 0;
  actions.use('chat', known[0] as Model);
  await answer('It is used.');
  expect(scrolled).toEqual(['a', expect.stringMatching('It is used.')]);
  scrolled.length = 0;
  actions.refresh('models');
  await answer('Nothing of the model.');
  expect(scrolled).toEqual([]);
  one?.click();
  expect(told?.textContent).toMatch('Nothing');
  other?.click();
  expect(told?.hasAttribute('hidden')).toBe(true);
});
