/** The item in the status bar: the model of chat cells, its state, how long the sign-in holds. */
import { Widget } from '@lumino/widgets';
import { el, set, setText } from './dom';
import type { Status } from './messages';
import { chosen, signIn } from './words';

export class Item extends Widget {
  /** @param open What a click does. */
  constructor(open: () => void) {
    super({ node: el('button', { type: 'button' }) });
    this.addClass('alcf-item');
    // the class of the status bar's own texts: their size and line height
    this.text.className = 'jp-StatusBar-TextItem';
    this.node.append(this.text);
    this.node.addEventListener('click', open);
  }

  tell(status: Status, slow: boolean, now: number): void {
    const parts = [chosen(status.chat), signIn(status.account, now), slow ? 'kernel busy' : ''];
    const words = `ALCF: ${parts.filter(Boolean).join(' · ')}`;
    setText(this.text, words);
    set(this.node, 'title', `${words}\n${status.service}\nClick for all models`);
  }

  private readonly text = el('span');
}
