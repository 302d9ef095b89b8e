/** Which models are listed: the filters of ALCF's web interface, and a search. */
import type { Model } from '../messages';

export const FILTERS = ['Live', 'Starting', 'Queued', 'Offline', 'All'] as const;
export type Filter = (typeof FILTERS)[number];

/** How many models each filter leaves. */
export function counts(models: readonly Model[]): Record<Filter, number> {
  const found = { Live: 0, Starting: 0, Queued: 0, Offline: 0, All: models.length };
  for (const { state } of models) {
    if (state in found) {
      found[state as Filter]++;
    }
  }
  return found;
}

/** The models in a state whose name or cluster holds every word of the search. */
export function fitting(models: readonly Model[], filter: Filter, search: string): Model[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return models.filter(({ id, cluster, state }) => {
    const text = `${id} @ ${cluster}`.toLowerCase();
    return (filter === 'All' || state === filter) && words.every(one => text.includes(one));
  });
}

/** What a model is known by while its state changes. */
export function keyOf({ id, cluster }: { id: string; cluster: string }): string {
  return JSON.stringify([id, cluster]);
}
