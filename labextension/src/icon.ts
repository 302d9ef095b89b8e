import { LabIcon } from '@jupyterlab/ui-components';

/** A prompt and an answer: two lines that meet a spark. */
export const icon = new LabIcon({
  name: 'alcf-jupyter:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M4 3h9v2H5v10h3v3l4-3h7v-4h2v6h-8.300l-6.700 5v-5H3V4a1 1 0 0 1 1-1z"/>
    <path d="M18 1l1.400 3.600L23 6l-3.600 1.400L18 11l-1.400-3.600L13 6l3.600-1.400z"/>
  </g>
</svg>`
});
