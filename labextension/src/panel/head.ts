/** Where the notebook is connected to, as whom, and the models it uses. */
import { button, el, set, setText } from '../dom';
import type { Chosen, Status } from '../messages';
import { account, chosen } from '../words';
import type { Actions } from './actions';

export class Head {
  constructor(private readonly actions: Actions) {
    this.signIn.hidden = this.sandbox.hidden = true;
  }

  show(status: Status | undefined, now: number): void {
    this.node.hidden = status === undefined;
    if (status === undefined) {
      return;
    }
    setText(this.service, status.service);
    setText(this.account, account(status.account, now));
    const { state, until } = status.account;
    this.signIn.hidden = !(state === 'signed out' || (until !== null && until <= now));
    this.sandbox.hidden = !status.offers_sandbox;
    this.showModel(this.chat, status.chat);
    this.showModel(this.embed, status.embed);
    this.insert.hidden = status.chat === null;
    this.chosen = status.chat;
  }

  private showModel(node: HTMLElement, model: Chosen): void {
    setText(node, chosen(model));
    set(node, 'title', model === null ? '' : `${model.model} @ ${model.cluster}`);
  }

  private chosen: Chosen = null;
  private readonly service = el('dd');
  private readonly account = el('dd');
  private readonly chat = el('dd', { class: 'alcf-chosen' });
  private readonly embed = el('dd', { class: 'alcf-chosen' });
  private readonly signIn = button('Sign in', 'Insert and run:  %alcf login', () =>
    this.actions.signIn()
  );
  private readonly sandbox = button(
    'Use the sandbox',
    'A local stand-in that needs no account. Insert and run:  %alcf connect sandbox',
    () => this.actions.useSandbox()
  );
  private readonly insert = button(
    'Insert chat cell',
    'A cell below the active one, with this model',
    () => {
      if (this.chosen !== null) {
        this.actions.insert({ id: this.chosen.model, cluster: this.chosen.cluster });
      }
    }
  );
  readonly node = el(
    'section',
    { class: 'alcf-head', 'aria-label': 'Connection' },
    el(
      'dl',
      { class: 'alcf-facts' },
      el('dt', {}, 'Service'),
      this.service,
      el('dt', {}, 'Account'),
      this.account,
      el('dt', {}, 'Chat'),
      this.chat,
      el('dt', {}, 'Embed'),
      this.embed
    ),
    el('div', { class: 'alcf-buttons' }, this.signIn, this.sandbox, this.insert)
  );
}
