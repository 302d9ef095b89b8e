/** What the buttons of the panel do; done elsewhere. */
import type { Model, Part, Steer } from '../messages';

export interface Actions {
  use(kind: 'chat' | 'embed', model: Model): void;
  warm(model: Model): void;
  insert(model: { id: string; cluster: string }): void;
  refresh(part: Part): void;
  steer(run: string, action: Steer['action']): void;
  signIn(): void;
  useSandbox(): void;
  load(): void;
  retry(): void;
  reload(): void;
  /** Another model was selected. */
  picked(): void;
  /** A section was opened or closed. */
  arranged(): void;
}
