/** What is typed into cells: whether it has to do with this package, and what is put there. */

export const LOAD = '%load_ext alcf_jupyter';
export const SANDBOX = '%alcf connect sandbox';

/** Whether a cell's source has to do with this package. */
export function speaksOfUs(source: string): boolean {
  return /\balcf(_|\b)/i.test(source);
}

/** Whether a cell's source loads this package's extension. */
export function loads(source: string): boolean {
  return /^\s*%(re)?load_ext\s+alcf_jupyter\s*$/m.test(source);
}

/**
 * A word as it stands on a magic's line.
 *
 * @returns null for a name that cannot stand there: an option, or one with characters that are not
 * to be seen.
 */
export function word(name: string): string | null {
  if (name === '' || name.startsWith('-') || /[\p{C}\p{Zl}\p{Zp}]/u.test(name)) {
    return null;
  }
  return /^[\w./:@+-]+$/.test(name) ? name : `'${name.replaceAll("'", `'"'"'`)}'`;
}

/** The source of a chat cell with this model; null where its name cannot stand in one. */
export function chatCell(model: string, cluster: string): string | null {
  const name = word(model);
  const place = cluster === '' ? '' : word(cluster);
  if (name === null || place === null) {
    return null;
  }
  return `%%alcf_chat -m ${name}${place === '' ? '' : ` -c ${place}`}\n`;
}

/** What signs in; a kernel that has not loaded the extension loads it first. */
export function signIn(loaded: boolean): string {
  return loaded ? '%alcf login' : `${LOAD}\n%alcf login`;
}

/** What copies the tutorials; it needs no command on the kernel's path. */
export function tutorials(folder: string): string {
  return `%run -m alcf_jupyter.cli tutorials ${folder}`;
}
