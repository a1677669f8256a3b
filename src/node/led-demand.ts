/** What other leaders are told of the tasks that wait with this one, as its last plan left it. */
import type { AdvertisedDemand, Claim, WaitingHead } from '../model/advertisement.ts';
import type { Plan } from '../model/planning.ts';

const nothing: AdvertisedDemand = { urgent: 0, others: 0, claims: [] };

const areSame = (left: readonly WaitingHead[] = [], right: readonly WaitingHead[] = []): boolean =>
  left.length === right.length &&
  left.every((head, at) => {
    const other = right[at]!;
    return (
      head.tenant === other.tenant &&
      head.tier === other.tier &&
      head.request === other.request &&
      head.boundMs === other.boundMs
    );
  });

export class LedDemand {
  #told = nothing;
  /** Others wait for room that is left to these, or take what these are to have. */
  onHeads: () => void = () => undefined;

  get told(): AdvertisedDemand {
    return this.#told;
  }

  get claims(): readonly Claim[] {
    return this.#told.claims;
  }

  /** No task waits here, or none is led here. */
  clear(): void {
    this.#tell(nothing);
  }

  planned(work: AdvertisedDemand, { claims, heads }: Plan): void {
    this.#tell({ ...work, claims, heads });
  }

  #tell(demand: AdvertisedDemand): void {
    const before = this.#told.heads;
    this.#told = demand;
    if (!areSame(before, demand.heads)) this.onHeads();
  }
}
