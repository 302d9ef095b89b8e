// Writes src/generated from protocol.json and package.json: the types of the messages, the check of
// those that the kernel sends, the versions. Made by each build, so it is always in step with them.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import Ajv from 'ajv/dist/2020.js';
import standaloneCode from 'ajv/dist/standalone/index.js';
import { compile } from 'json-schema-to-typescript';

const PAGE = '../../alcf_jupyter/notebook/panel/protocol.json';

const read = async path => JSON.parse(await readFile(new URL(path, import.meta.url), 'utf8'));
const { 'x-protocol': protocol, ...page } = await read(PAGE);
const { version } = await read('../package.json');

/** json-schema-to-typescript knows tuples by their older name. */
function older(value) {
  if (Array.isArray(value)) return value.map(older);
  if (value === null || typeof value !== 'object') return value;
  const { prefixItems, ...rest } = value;
  const made = Object.fromEntries(Object.entries(rest).map(([key, item]) => [key, older(item)]));
  return prefixItems === undefined ? made : { ...made, items: older(prefixItems) };
}

const types = await compile(older(page), 'Page', {
  additionalProperties: false,
  bannerComment: '// Generated from protocol.json.',
  unreachableDefinitions: true
});

const ajv = new Ajv.default({ strict: true, code: { source: true, esm: true, lines: true } });
ajv.addSchema({ ...page, $id: 'page' });
const sent = page.$defs.FromKernel.oneOf.map(({ $ref }) => $ref.split('/').pop());
const checks = standaloneCode.default(
  ajv,
  Object.fromEntries(sent.map(name => [name, `page#/$defs/${name}`]))
);
const declared = `import type * as messages from './messages';

export interface Check<T> {
  (data: unknown): data is T;
  errors?: { instancePath: string; message?: string }[] | null;
}
${sent.map(name => `export const ${name}: Check<messages.${name}>;`).join('\n')}
`;
const versions = `/** Of protocol.json. */
export const PROTOCOL = ${protocol};
/** Of this extension. */
export const VERSION = '${version}';
`;

const folder = new URL('../src/generated/', import.meta.url);
await mkdir(folder, { recursive: true });

/** Writes a file whole, and only if it is another: the tests and the linter may read it meanwhile. */
async function keep(name, text) {
  const file = new URL(name, folder);
  if ((await readFile(file, 'utf8').catch(() => null)) === text) return;
  const whole = new URL(`.${name}.${process.pid}`, folder);
  await writeFile(whole, text);
  await rename(whole, file);
}

await Promise.all([
  keep('messages.ts', types),
  keep('checks.js', checks),
  keep('checks.d.ts', declared),
  keep('versions.ts', versions)
]);
