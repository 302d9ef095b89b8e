/** What came of the last click, and errors. */
import { button, el } from '../dom';
import type { Reply } from '../messages';
import { Advice } from './advice';

export class Told {
  constructor() {
    this.clear();
  }

  /** Show an answer; an empty one takes away what was there. */
  show({ said, line, error }: Reply): void {
    this.node.classList.toggle('alcf-mod-error', error !== null);
    this.advice.show(error?.what ?? said, error?.why, error?.do ?? line);
    this.node.hidden = (error?.what ?? said) === '';
  }

  clear(): void {
    this.show({ type: 'reply', to: null, said: '', line: '', error: null });
  }

  private readonly advice = new Advice();
  readonly node = el(
    'div',
    { class: 'alcf-told' },
    el('div', { role: 'status', 'aria-live': 'polite' }, ...this.advice.nodes),
    button('✕', 'Take this away', () => this.clear())
  );
}
