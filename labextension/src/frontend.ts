/** What runs in the browser, for the kernel's doctor. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { type Hello, PROTOCOL, VERSION } from './messages';

/** The packages of every extension by their versions, as module federation keeps them. */
declare const __webpack_share_scopes__: { default?: Record<string, Record<string, unknown>> };

const EXTENSIONS = ['@jupyter-widgets/jupyterlab-manager', 'anywidget'];
const LONGEST = 80;

/** The extensions that the server offers, of whatever version: not each shares its own package. */
function offered(): string[] {
  const config = document.getElementById('jupyter-config-data')?.textContent ?? '{}';
  const { federated_extensions: found } = JSON.parse(config) as {
    federated_extensions?: { name: string }[];
  };
  return (found ?? []).map(extension => extension.name);
}

/** What a kernel is greeted with. */
export function hello(app: JupyterFrontEnd): Hello {
  const name = /notebook/i.test(app.name) ? 'notebook' : 'jupyterlab';
  const frontend: Record<string, string> = { [name]: app.version.slice(0, LONGEST) };
  const shared = typeof __webpack_share_scopes__ === 'undefined' ? {} : __webpack_share_scopes__;
  const names = offered();
  for (const extension of EXTENSIONS) {
    const version =
      Object.keys(shared.default?.[extension] ?? {}).pop() ??
      (names.includes(extension) ? '' : undefined);
    if (version !== undefined) {
      frontend[extension] = version.slice(0, LONGEST);
    }
  }
  return { type: 'hello', protocol: PROTOCOL, extension: VERSION, frontend };
}
