/** Why there is nothing to see, and what mends it. */
import { button, el, setText } from '../dom';
import type { Notice } from '../words';
import type { Actions } from './actions';
import { Advice } from './advice';

export class NoticeView {
  constructor(private readonly actions: Actions) {}

  /** @param ready Whether the notebook has a cell with the line that loads the extension. */
  show({ what, why, line, button: shown }: Notice, ready: boolean): void {
    this.node.hidden = what === '';
    this.advice.show(what, why, line);
    this.load.hidden = shown !== 'load';
    setText(this.load, ready ? 'Run its cell' : 'Insert and run it');
    this.retry.hidden = shown !== 'retry' && shown !== 'load';
    this.reload.hidden = shown !== 'reload';
  }

  private readonly advice = new Advice();
  private readonly load = button('', 'In this notebook, where it is seen and saved', () =>
    this.actions.load()
  );
  private readonly retry = button('Try again', 'Ask the kernel again', () => this.actions.retry());
  private readonly reload = button('Reload the page', '', () => this.actions.reload());
  readonly node = el(
    'section',
    { class: 'alcf-notice', role: 'status', 'aria-live': 'polite' },
    ...this.advice.nodes,
    el('div', { class: 'alcf-buttons' }, this.load, this.retry, this.reload)
  );
}
