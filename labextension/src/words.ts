/** What is said in words: times, how long a sign-in holds, why there is nothing to see. */
import type { Standing } from './link';
import { LOAD } from './magics';
import { PROTOCOL, type Chosen, type Status, VERSION } from './messages';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The clock's time of a moment in seconds since 1970. */
export function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString();
}

/** How long something still lasts, such as `41 h`. */
export function lasting(seconds: number): string {
  if (seconds >= 2 * DAY) {
    return `${Math.floor(seconds / DAY)} days`;
  }
  if (seconds >= HOUR) {
    return `${Math.floor(seconds / HOUR)} h`;
  }
  return seconds >= MINUTE ? `${Math.floor(seconds / MINUTE)} min` : 'less than a minute';
}

/** Who is signed in and for how long, by this computer's clock. */
export function account({ state, words, until }: Status['account'], now: number): string {
  const who = words === '' ? state : words;
  if (state !== 'signed in' || until === null) {
    return who;
  }
  return until > now ? `${who}, for ${lasting(until - now)}` : `${who}; that has ended`;
}

/** The account in a word or two. */
export function signIn({ state, until }: Status['account'], now: number): string {
  switch (state) {
    case 'signed in':
      if (until === null) {
        return 'signed in';
      }
      return until > now ? `signed in for ${lasting(until - now)}` : 'sign-in has ended';
    case 'signed out':
      return 'signed out';
    default:
      return '';
  }
}

/** A default model and its state on one line. */
export function chosen(model: Chosen): string {
  return model === null ? 'no model chosen' : `${model.model} · ${model.state}`;
}

/** What is told in place of the models: what and why, a line to type, and what a button does. */
export interface Notice {
  what: string;
  why: string;
  line?: string;
  button?: 'load' | 'retry' | 'reload';
}

const NOTHING: Notice = { what: '', why: '' };

/** Why a notebook without a kernel shows nothing. */
export function noKernel(notebook: boolean): Notice {
  return notebook
    ? { what: 'This notebook has no kernel.', why: 'Choose one in the Kernel menu.' }
    : { what: 'No notebook is open.', why: 'Open one: this panel shows what its kernel knows.' };
}

/**
 * Why a kernel shows nothing, or nothing new.
 *
 * @param standing How the kernel stands.
 * @param slow Whether it has left something unanswered for a second.
 * @param tried Whether the line that loads the extension was run from here already.
 */
export function notice(standing: Standing, slow: boolean, tried: boolean): Notice {
  switch (standing.is) {
    case 'open':
      return slow
        ? { what: 'The kernel is busy.', why: 'It answers when the running cell lets it.' }
        : NOTHING;
    case 'unasked':
      return { what: 'The kernel was not asked yet.', why: '', button: 'retry' };
    case 'unreached':
      return { what: 'The kernel could not be asked.', why: '', button: 'retry' };
    case 'connecting':
      return slow
        ? { what: 'The kernel is busy.', why: 'It answers when the running cell has ended.' }
        : { what: 'Asking the kernel …', why: '' };
    case 'missing':
      return tried
        ? {
            what: 'The kernel still has not loaded alcf_jupyter.',
            why: 'Is it installed there? Run this line, then load it again:',
            line: '%pip install alcf-jupyter',
            button: 'load'
          }
        : {
            what: 'The kernel of this notebook has not loaded alcf_jupyter.',
            why: 'Run this line in the notebook:',
            line: LOAD,
            button: 'load'
          };
    case 'foreign':
      return {
        what: 'The kernel of this notebook is not Python.',
        why: 'alcf_jupyter works in a Python kernel.'
      };
    case 'second':
      return {
        what: 'This page cannot talk to the kernel of this notebook.',
        why: 'Another tab of the page was connected to it first. Save your work and reload the page.',
        button: 'reload'
      };
    case 'restarting':
      return { what: 'The kernel is restarting.', why: '' };
    case 'dead':
      return { what: 'The kernel has stopped.', why: 'Restart it in the Kernel menu.' };
    case 'another protocol':
      return outdated(standing.protocol, standing.version);
  }
}

function outdated(protocol: number, version: string): Notice {
  const versions = `${VERSION} in JupyterLab, ${version.slice(0, 40) || 'another'} in the kernel`;
  return protocol > PROTOCOL
    ? {
        what: 'The extension in JupyterLab is older than alcf_jupyter in the kernel.',
        why: `They do not understand each other (${versions}). Run this line, then reload the page:`,
        line: '%run -m alcf_jupyter.cli install-labextension --user'
      }
    : {
        what: 'alcf_jupyter in the kernel is older than the extension in JupyterLab.',
        why: `They do not understand each other (${versions}). Run this line, then restart the kernel:`,
        line: '%pip install --upgrade alcf-jupyter'
      };
}
