import { describe, expect, it } from 'vitest';
import type { Status } from '../src/messages';
import { account, lasting, notice, signIn } from '../src/words';

const NOW = 1_000_000;
const HOUR = 3600;

function who(state: Status['account']['state'], until: number | null): Status['account'] {
  return { state, words: 'Ada', until };
}

it.each([
  [59, 'less than a minute'],
  [60, '1 min'],
  [HOUR - 1, '59 min'],
  [41.9 * HOUR, '41 h'],
  [47.9 * HOUR, '47 h'],
  [48 * HOUR, '2 days']
])('%d seconds are %s', (seconds, expected) => {
  expect(lasting(seconds)).toBe(expected);
});

it('says who is signed in and for how long', () => {
  expect(account(who('signed in', NOW + 2 * HOUR), NOW)).toBe('Ada, for 2 h');
  expect(account(who('signed in', NOW), NOW)).toBe('Ada; that has ended');
  expect(account(who('signed in', null), NOW)).toBe('Ada');
  expect(signIn(who('signed in', NOW + 2 * HOUR), NOW)).toBe('signed in for 2 h');
  expect(signIn(who('signed in', NOW - 1), NOW)).toBe('sign-in has ended');
  expect(signIn(who('signed out', null), NOW)).toBe('signed out');
  expect(signIn(who('none', null), NOW)).toBe('');
});

describe('notices', () => {
  it('says nothing where all is well', () => {
    expect(notice({ is: 'open' }, false, false).what).toBe('');
  });

  it.each([
    ...(['missing', 'foreign', 'second', 'restarting', 'dead', 'unasked', 'connecting'] as const),
    'unreached' as const
  ])('says what happened: %s', is => {
    expect(notice({ is }, false, false).what).toMatch(/\w+( …|\.)$/);
  });

  it('says that the kernel is busy, and when it answers', () => {
    expect(notice({ is: 'open' }, true, false).what).toBe('The kernel is busy.');
    expect(notice({ is: 'connecting' }, true, false).why).toMatch('has ended');
  });

  it('offers the line that loads the package, then the one that installs it', () => {
    expect(notice({ is: 'missing' }, false, false).line).toBe('%load_ext alcf_jupyter');
    expect(notice({ is: 'missing' }, false, true).line).toBe('%pip install alcf-jupyter');
  });

  it('says which side is older, and what updates it', () => {
    const older = notice({ is: 'another protocol', protocol: 99, version: '9.9' }, false, false);
    expect(older.what).toMatch('JupyterLab is older');
    expect(older.line).toMatch('install-labextension');
    const newer = notice({ is: 'another protocol', protocol: 0, version: '' }, false, false);
    expect(newer.what).toMatch('kernel is older');
    expect(newer.line).toMatch('pip install --upgrade');
  });
});
