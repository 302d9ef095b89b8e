// Puts beside the built extension what tells Jupyter who installed it.
import { copyFile } from 'node:fs/promises';

const here = path => new URL(path, import.meta.url);
await copyFile(here('../install.json'), here('../../alcf_jupyter/labextension/install.json'));
