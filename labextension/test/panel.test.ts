// @vitest-environment jsdom
import { beforeEach, expect, it, type Mock, vi } from 'vitest';
import { Keyed, el } from '../src/dom';
import type { Batch, Model, Models, Run, Status } from '../src/messages';
import type { Actions } from '../src/panel/actions';
import { counts, fitting } from '../src/panel/filters';
import { Head } from '../src/panel/head';
import { BatchesView, RunsView } from '../src/panel/jobs';
import { ModelsView } from '../src/panel/models';
import { Told } from '../src/panel/told';

const HOSTILE = '<img src=x onerror="window.pwned = 1"><b>bold</b>';

function model(id: string, more: Partial<Model> = {}): Model {
  return {
    id,
    cluster: 'sophia',
    state: 'Live',
    note: '',
    starts: false,
    can_chat: true,
    can_embed: null,
    facts: [['State', 'Live']],
    ...more
  };
}

function models(...all: Model[]): Models {
  return { type: 'models', checked: 0, followed: true, note: '', warnings: [], models: all };
}

const STATUS: Status = {
  type: 'status',
  service: '',
  account: { state: 'none', words: '', until: null },
  offers_sandbox: false,
  chat: { model: 'b', cluster: 'sophia', state: 'Live' },
  embed: null
};

let actions: { [name in keyof Actions]: Mock };
let view: ModelsView;

beforeEach(() => {
  Element.prototype.scrollIntoView = () => undefined;
  const names = [
    'use',
    'warm',
    'insert',
    'refresh',
    'steer',
    'signIn',
    'load',
    'retry',
    'reload',
    'useSandbox',
    'picked'
  ];
  actions = Object.fromEntries([...names, 'arranged'].map(name => [name, vi.fn()])) as never;
  view = new ModelsView(actions);
  document.body.replaceChildren(view.node);
});

const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('.alcf-model')];
const press = (name: string): void =>
  [...document.querySelectorAll('button')].find(one => one.textContent.startsWith(name))?.click();

it('keeps an element for each key, in the order that is asked for', () => {
  const list = el('ul');
  const keyed = new Keyed<string, HTMLElement>(
    list,
    key => key,
    () => el('li'),
    (node, key) => (node.textContent = key)
  );
  keyed.show(['a', 'b', 'c']);
  const [a, b, c] = [...list.children];
  keyed.show(['c', 'a', 'd', 'a']);
  expect([...list.children].map(node => node.textContent)).toEqual(['c', 'a', 'd']);
  expect([...list.children].slice(0, 2)).toEqual([c, a]);
  expect(b?.isConnected).toBe(false);
  const inserted = vi.spyOn(list, 'insertBefore');
  keyed.show(['a', 'd']);
  expect(inserted).not.toHaveBeenCalled();
  keyed.show([]);
  expect(list.children.length).toBe(0);
});

it('gives the focus of what goes to what stays', () => {
  const list = el('ul');
  const summary = el('summary');
  summary.tabIndex = 0;
  document.body.replaceChildren(summary, list);
  const keyed = new Keyed<string, HTMLElement>(
    list,
    key => key,
    key => el('li', {}, el('button', { hidden: true }), el('button', {}, key)),
    () => undefined,
    summary
  );
  keyed.show(['a', 'b', 'c']);
  const on = (): string | undefined => document.activeElement?.textContent;
  (keyed.get('b')?.lastChild as HTMLElement).focus();
  keyed.show(['a', 'c']);
  expect(on()).toBe('c');
  keyed.show(['a']);
  expect(on(), 'the one before the last').toBe('a');
  keyed.show(['d', 'e']);
  expect(on()).toBe('d');
  keyed.show([]);
  expect(document.activeElement).toBe(summary);
  keyed.show(['a']);
  keyed.show([]);
  expect(document.activeElement, 'nothing is taken from it').toBe(summary);
});

it('filters by state and by every word of the search', () => {
  const all = [model('a/x'), model('b/x', { cluster: 'metis', state: 'Offline' }), model('c')];
  expect(counts(all)).toEqual({ Live: 2, Starting: 0, Queued: 0, Offline: 1, All: 3 });
  expect(fitting(all, 'Offline', '').map(({ id }) => id)).toEqual(['b/x']);
  expect(fitting(all, 'All', ' METIS x').map(({ id }) => id)).toEqual(['b/x']);
});

it('selects the model of chat cells, and keeps what was selected while states change', () => {
  view.show(models(model('a'), model('b')), STATUS);
  expect(rows()[1]?.getAttribute('aria-selected')).toBe('true');
  rows()[0]?.click();
  view.show(models(model('b', { state: 'Offline' }), model('a', { state: 'Queued' })), STATUS);
  const chosen = document.querySelector('[aria-selected=true]');
  expect(chosen?.textContent).toMatch(/^a/);
  expect(chosen?.querySelector('[data-state=Queued]')?.textContent).toBe('Queued');
});

it('does what its buttons say with the selected model, and not what it cannot do', () => {
  const cold = model('cold', { starts: true, can_embed: false });
  view.show(models(model('b'), cold), undefined);
  rows()[1]?.click();
  ['Use for chat', 'Insert', 'Warm it up', 'Use for embeddings'].forEach(press);
  expect(actions.use).toHaveBeenCalledExactlyOnceWith('chat', cold);
  expect(actions.insert).toHaveBeenCalledExactlyOnceWith(cold);
  expect(actions.warm).toHaveBeenCalledExactlyOnceWith(cold);
});

it('walks with the keyboard', () => {
  view.show(models(model('a'), model('b'), model('c')), undefined);
  const list = document.querySelector('[role=listbox]');
  const walked = ['ArrowDown', 'ArrowDown', 'ArrowUp', 'End', 'ArrowDown', 'Home'].map(key => {
    list?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
    return rows().findIndex(row => row.getAttribute('aria-selected') === 'true');
  });
  expect(walked).toEqual([0, 1, 0, 2, 2, 0]);
  expect(list?.getAttribute('aria-activedescendant')).toBe(rows()[0]?.id);
});

it('says when another model is selected', () => {
  view.show(models(model('a'), model('b')), undefined);
  rows()[0]?.click();
  rows()[0]?.click();
  expect(actions.picked).toHaveBeenCalledOnce();
  rows()[1]?.click();
  expect(actions.picked).toHaveBeenCalledTimes(2);
});

it('shows the line of an answer as one to copy', () => {
  const told = new Told();
  told.show({ type: 'reply', to: 1, said: 'It is used now:', line: '%alcf use a', error: null });
  expect(told.node.querySelector('code')?.textContent).toBe('%alcf use a');
  expect(told.node.querySelector('.alcf-next')?.hasAttribute('hidden')).toBe(false);
  told.show({ type: 'reply', to: 2, said: 'It is done.', line: '', error: null });
  expect(told.node.querySelector('.alcf-next')?.hasAttribute('hidden')).toBe(true);
});

it('shows what servers wrote as text', () => {
  const hostile = model(HOSTILE, { cluster: HOSTILE, note: HOSTILE, facts: [[HOSTILE, HOSTILE]] });
  view.show({ ...models(hostile), note: HOSTILE, warnings: [HOSTILE] }, undefined);
  rows()[0]?.click();
  const told = new Told();
  told.show({
    type: 'reply',
    to: 1,
    said: '',
    line: '',
    error: { what: HOSTILE, why: HOSTILE, do: HOSTILE }
  });
  document.body.append(told.node);
  expect(document.querySelectorAll('img, b').length).toBe(0);
  expect(document.body.textContent.split(HOSTILE).length - 1).toBeGreaterThan(9);
});

it('offers the sandbox to whom it is offered', () => {
  const head = new Head(actions);
  document.body.replaceChildren(head.node);
  const shown = (): string[] =>
    [...document.querySelectorAll('button')].filter(one => !one.hidden).map(one => one.textContent);
  const account = { state: 'signed out', words: 'You are not.', until: null } as const;
  const out: Status = { ...STATUS, account, chat: null };
  head.show(out, 0);
  expect(shown()).toEqual(['Sign in']);
  head.show({ ...out, offers_sandbox: true }, 0);
  expect(shown()).toEqual(['Sign in', 'Use the sandbox']);
  press('Use the sandbox');
  expect(actions.useSandbox).toHaveBeenCalledOnce();
});

it('can be opened for runs that it was not told of while it was closed', () => {
  const runs = new RunsView(actions);
  runs.show(undefined);
  expect(runs.node.hidden).toBe(true);
  runs.node.open = false;
  runs.show(undefined);
  expect(runs.node.hidden).toBe(false);
});

it('says that batches are looked up only as long as they are', () => {
  const batches = new BatchesView(actions);
  document.body.replaceChildren(batches.node);
  batches.show(undefined);
  expect(document.body.textContent).toMatch('Looking them up …');
  batches.show({ type: 'batches', checked: null, note: 'It has no batches.', batches: [] });
  expect(document.body.textContent).not.toMatch('Looking');
  expect(document.body.textContent).toMatch('It has no batches.');
});

function run(key: string, more: Partial<Run> = {}): Run {
  const about = 'Classify: {{text}}';
  const counts = { rows: 10, done: 3, failed: 0 };
  return {
    key,
    name: 'ab12cd34ef',
    title: 'm @ c',
    about,
    state: 'running',
    words: '',
    ...counts,
    ...more
  };
}

it('tells apart two runs on one model, and two batches', () => {
  const runs = new RunsView(actions);
  const batches = new BatchesView(actions);
  document.body.replaceChildren(runs.node, batches.node);
  runs.show({ type: 'runs', runs: [run('1'), run('2', { name: 'ef56ab78', about: '' })] });
  const two: Batch[] = ['5b0e4d1c-one', '7a11c2d3-two'].map(name => run(name, { name }));
  batches.show({ type: 'batches', checked: 0, note: '', batches: two });
  const jobs = [...document.querySelectorAll('.alcf-job')];
  const told = jobs.map(job => job.querySelector('.alcf-about')?.textContent);
  expect(told).toEqual([
    'ab12cd34 · Classify: {{text}}',
    'ef56ab78',
    '5b0e4d1c · Classify: {{text}}',
    '7a11c2d3 · Classify: {{text}}'
  ]);
  const names = jobs.flatMap(job =>
    [...job.querySelectorAll('button, progress')].map(one => one.ariaLabel)
  );
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('Stop: m @ c, ef56ab78');
  expect(jobs[0]?.getAttribute('title')).toBe('m @ c\nab12cd34ef\nClassify: {{text}}');
  expect(jobs[2]?.getAttribute('title')).toBe('m @ c\n5b0e4d1c-one\nClassify: {{text}}');
});

it('keeps the focus in the row whose button goes', () => {
  const runs = new RunsView(actions);
  document.body.replaceChildren(runs.node);
  const show = (state: Run['state']): string | undefined => {
    runs.show({ type: 'runs', runs: [run('k', { state })] });
    return document.activeElement?.textContent;
  };
  show('running');
  [...document.querySelectorAll('button')].find(one => one.textContent === 'Pause')?.focus();
  const found = (['paused', 'running', 'finished'] as const).map(show);
  expect(found).toEqual(['Resume', 'Pause', 'Hide']);
  runs.show({ type: 'runs', runs: [run('k', { state: 'finished' }), run('l')] });
  runs.show({ type: 'runs', runs: [run('l')] });
  expect(document.activeElement?.getAttribute('aria-label')).toMatch('Pause');
  runs.show({ type: 'runs', runs: [] });
  expect(document.activeElement).not.toBe(document.body);
});

it('gives a run the buttons of its state', () => {
  const runs = new RunsView(actions);
  document.body.replaceChildren(runs.node);
  const shown = (): string[] =>
    [...document.querySelectorAll('button')].filter(one => !one.hidden).map(one => one.textContent);
  const states = ['running', 'paused', 'finished'] as const;
  const found = states.map(state => {
    runs.show({ type: 'runs', runs: [run('k', { state })] });
    return shown();
  });
  expect(found).toEqual([['Pause', 'Stop'], ['Resume', 'Stop'], ['Hide']]);
  const bar = document.querySelector('progress');
  expect([bar?.value, bar?.max]).toEqual([3, 10]);
});
