/** Why there is nothing to see, and what mends it. */
import { button, el, setText } from '../dom';
import type { Notice } from '../words';
import type { Actions } from './actions';
import { copyButton } from './told';

export class NoticeView {
  constructor(private readonly actions: Actions) {}

  /** @param ready Whether the notebook has a cell with the line that loads the extension. */
  show({ what, why, line = '', button: shown }: Notice, ready: boolean): void {
    this.node.hidden = what === '';
    setText(this.what, what);
    setText(this.why, why);
    this.why.hidden = why === '';
    setText(this.line, line);
    this.next.hidden = line === '';
    this.load.hidden = shown !== 'load';
    setText(this.load, ready ? 'Run its cell' : 'Insert and run it');
    this.retry.hidden = shown !== 'retry' && shown !== 'load';
    this.reload.hidden = shown !== 'reload';
  }

  private readonly what = el('p', { class: 'alcf-what' });
  private readonly why = el('p', { class: 'alcf-why' });
  private readonly line = el('code');
  private readonly next = el(
    'div',
    { class: 'alcf-next' },
    this.line,
    copyButton(() => this.line.textContent)
  );
  private readonly load = button('', 'In this notebook, where it is seen and saved', () =>
    this.actions.load()
  );
  private readonly retry = button('Try again', 'Ask the kernel again', () => this.actions.retry());
  private readonly reload = button('Reload the page', '', () => this.actions.reload());
  readonly node = el(
    'section',
    { class: 'alcf-notice', role: 'status', 'aria-live': 'polite' },
    this.what,
    this.why,
    this.next,
    el('div', { class: 'alcf-buttons' }, this.load, this.retry, this.reload)
  );
}
