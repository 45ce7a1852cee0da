/** What becomes of the generations of families (SEMANTICS.md, rule 16), found by what a record has changed: for people, who cannot see it in the labels. */
import type { FamilyState, PartitionState, PendingGeneration } from './state.ts';

export type GenerationStanding = 'asked for' | 'being built' | 'in force';

export type GenerationNews = Pick<PendingGeneration, 'generation' | 'projectionSha256'> & {
  readonly family: string;
  readonly standing: GenerationStanding;
  readonly eps: number;
  readonly minPoints: number;
};

type Known = { readonly inForce: string; readonly pending: string | undefined; readonly isBuilt: boolean };

export type GenerationWatch = {
  /** Before a record is folded. What is there before the first one is no news. */
  readonly before: () => void;
  /** After it. */
  readonly after: () => void;
};

export function watchGenerations({ families }: PartitionState, tell: (news: GenerationNews) => void): GenerationWatch {
  let known: Map<string, Known> | undefined;
  return {
    before: () => {
      known ??= new Map(families.values().map((family) => [family.name, knownOf(family)]));
    },
    after: () => {
      for (const family of families.values()) {
        const was = known?.get(family.name);
        const is = knownOf(family);
        known?.set(family.name, is);
        const { name, pending } = family;
        const isNew = is.pending !== was?.pending;
        if (pending !== undefined && isNew) tell(newsOf(name, 'asked for', pending));
        if (pending !== undefined && is.isBuilt && (isNew || was?.isBuilt !== true)) tell(newsOf(name, 'being built', pending));
        if (is.inForce !== was?.inForce) tell(newsOf(name, 'in force', family));
      }
    },
  };
}

function knownOf({ generation, pending }: FamilyState): Known {
  return { inForce: generation, pending: pending?.generation, isBuilt: pending?.builtSinceMs !== undefined };
}

function newsOf(family: string, standing: GenerationStanding, { generation, parameters: { eps, minPoints }, projectionSha256 }: Pick<FamilyState, 'generation' | 'parameters' | 'projectionSha256'>): GenerationNews {
  return { family, standing, generation, eps, minPoints, projectionSha256 };
}
