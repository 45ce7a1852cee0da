/**
 * Where the fuzzing gets its records from. A scenario is a pool of places, some of them grouped into what likes to change together, and the
 * parameters under which the pool is near the point where clusters join and break.
 *
 *   grid      whole numbers in the plane: ties and duplicates everywhere, eps on a distance of the grid or next to it
 *   bridges   balls around hubs, in any dimension: a hub's item joins its balls, without it they fall apart
 *   borders   pairs of balls that reach for one item between them, which is not core and goes to the nearer
 *   cloud     mixtures of Gaussians; eps is the distance of some pair, or the float64 next to it
 *   band      chains in which each place is so nearly eps from another that float32 cannot tell on which side; eps is the distance of one of them, or next to it
 */
import type { ClusteringParameters, Mutation } from '../../src/clustering/clustering.ts';
import { nextDouble, type Random } from './random.ts';

export type Step =
  | { readonly kind: 'apply'; readonly mutations: readonly Mutation[] }
  | { readonly kind: 'rebuild'; readonly parameters: ClusteringParameters; readonly mutations: readonly Mutation[] };

export type Scenario = {
  readonly name: string;
  readonly parameters: ClusteringParameters;
  readonly alternatives: readonly ClusteringParameters[];
  readonly places: readonly Float32Array[];
  /** Items here are inserted and removed together, several groups in one record. */
  readonly groups: readonly (readonly Float32Array[])[];
  /** The share of the records that change groups. */
  readonly groupShare: number;
  /** About how many items live at a time. */
  readonly liveCount: number;
};

export type Live = ReadonlyMap<string, Float32Array>;

export function createScenario(random: Random, index: number): Scenario {
  const liveCount = index % 7 === 0 ? random.between(330, 385) : random.between(60, 120);
  const makers = [gridScenario, bridgesScenario, bordersScenario, bridgesScenario, cloudScenario, bordersScenario, bridgesScenario, cloudScenario, bandScenario];
  return makers[index % makers.length]!(random, liveCount);
}

function gridScenario(random: Random, liveCount: number): Scenario {
  const width = Math.max(4, Math.round(Math.sqrt(liveCount / (0.5 + 0.6 * random.next()))));
  const places: Float32Array[] = [];
  for (let x = 1; x <= width; x++) for (let y = 1; y <= width; y++) places.push(Float32Array.of(x, y));
  const epsilons = [1, nextDouble(1, -1), nextDouble(1, 1), Math.SQRT2, nextDouble(Math.SQRT2, -1), 1.5];
  const parameters = (): ClusteringParameters => ({ metric: 'euclidean', eps: random.pick(epsilons), minPoints: random.between(2, 5) });
  // A row of the grid joins and separates what lies on both sides of it.
  const rows = Array.from({ length: width }, (_, row) => places.filter((place) => place[0] === row + 1));
  return {
    name: 'grid',
    parameters: { ...parameters(), minPoints: random.between(3, 4) },
    alternatives: [...Array.from({ length: 4 }, parameters), { metric: 'cosine', eps: 0.002, minPoints: 4 }],
    places,
    groups: [...rows, ...places.map((place) => [place])],
    groupShare: 0.3,
    liveCount,
  };
}

function bridgesScenario(random: Random, liveCount: number): Scenario {
  const dimensions = random.pick(liveCount > 200 ? [2, 8] : [2, 8, 64]);
  const metric = dimensions === 2 ? 'euclidean' : random.pick(['cosine', 'euclidean'] as const);
  const minPoints = random.between(3, 4);
  const armCount = dimensions === 2 ? 4 : random.between(3, 4);
  const hubCount = Math.min(metric === 'cosine' ? dimensions - armCount : 30, Math.ceil(liveCount / (armCount * (minPoints + 1))));
  const ballSize = Math.max(minPoints, Math.ceil(80 / (hubCount * armCount)));
  const jitter = (): number => 0.01 * random.gaussian();
  /** The place at a hub, moved along an arm by `reach`: euclidean hubs lie on a line, cosine hubs are axes. */
  const place = (hub: number, arm: number, reach: number): Float32Array => {
    const vector = Float32Array.from({ length: dimensions }, () => (reach === 0 ? 0 : jitter()));
    const add = (axis: number, value: number): void => void (vector[axis]! += value);
    if (metric === 'cosine') {
      add(hub, 1);
      add(dimensions - 1 - arm, 0.4 * reach);
    } else if (dimensions === 2) {
      add(0, 2.75 * hub + [1, -1, 0, 0][arm]! * reach);
      add(1, 1 + [0, 0, 1, -1][arm]! * reach);
    } else {
      add(0, 2.75 * hub);
      add(1 + arm, reach);
    }
    return vector;
  };
  const hubs = Array.from({ length: hubCount }, (_, hub) => place(hub, 0, 0));
  const balls: Float32Array[][] = [];
  const between: Float32Array[] = [];
  for (let hub = 0; hub < hubCount; hub++) {
    for (let arm = 0; arm < armCount; arm++) {
      balls.push(Array.from({ length: ballSize }, () => place(hub, arm, 0.85)));
      between.push(place(hub, arm, hub % 4 === 0 ? 0.45 : 1.5));
    }
  }
  const eps = metric === 'cosine' ? 0.09 : 1;
  return {
    name: `bridges ${dimensions}-d ${metric}`,
    parameters: { metric, eps, minPoints },
    alternatives: [{ metric, eps: eps * 0.7, minPoints }, { metric, eps, minPoints: minPoints + 1 }, { metric, eps: eps * 1.2, minPoints }],
    places: [...hubs, ...balls.flat(), ...between],
    groups: [...balls, ...Array.from({ length: 2 * armCount }, () => hubs.map((hub) => [hub])).flat()],
    groupShare: 0.75,
    liveCount: balls.flat().length + hubCount,
  };
}

function bordersScenario(random: Random, liveCount: number): Scenario {
  const metric = random.pick(['cosine', 'euclidean'] as const);
  const dimensions = metric === 'cosine' ? 64 : random.pick([2, 8]);
  const siteCount = Math.min(30, Math.round(liveCount / 10));
  const eps = metric === 'cosine' ? 0.09 : 1;
  /** A place on the line of a site; 1 is eps. */
  const place = (site: number, along: number): Float32Array => {
    const vector = Float32Array.from({ length: dimensions }, () => 0.002 * random.gaussian());
    const angle = along * Math.acos(1 - eps);
    if (metric === 'cosine') {
      vector[2 * site]! += Math.cos(angle);
      vector[2 * site + 1]! += Math.sin(angle);
    } else {
      vector[0]! += 10 * site;
      vector[1]! += along;
    }
    return vector;
  };
  const sites = Array.from({ length: siteCount }, (_, site) => ({
    balls: [-0.5, 2.2].map((along) => Array.from({ length: 4 }, () => place(site, along))),
    fronts: [0, 1.7].map((along) => [place(site, along)]),
    between: [place(site, 0.75 + 0.2 * random.next())],
  }));
  return {
    name: `borders ${dimensions}-d ${metric}`,
    parameters: { metric, eps, minPoints: 4 },
    alternatives: [{ metric, eps, minPoints: 3 }, { metric, eps: 0.95 * eps, minPoints: 4 }, { metric, eps, minPoints: 5 }],
    places: sites.flatMap(({ balls, fronts, between }) => [...balls, ...fronts, between].flat()),
    groups: sites.flatMap(({ balls, fronts, between }) => [...balls, ...Array.from({ length: 5 }, () => fronts).flat(), between, between]),
    groupShare: 0.75,
    liveCount,
  };
}

function cloudScenario(random: Random, liveCount: number): Scenario {
  const dimensions = random.pick(liveCount > 200 ? [2, 8] : [2, 2, 8, 8, 384]);
  const metric = random.pick(['cosine', 'euclidean'] as const);
  const centres = Array.from({ length: random.between(2, 6) }, () => Array.from({ length: dimensions }, () => 3 * random.gaussian()));
  const places = Array.from({ length: Math.round(liveCount * 1.5) }, () => {
    const centre = random.pick(centres);
    return Float32Array.from(centre, (value) => value + random.gaussian());
  });
  const distances = distancesOf(places, metric);
  const parameters = (degree: number): ClusteringParameters => {
    const eps = random.pick(distancesAround(distances, places.length, degree));
    return { metric, eps: random.pick([eps, eps, nextDouble(eps, 1), nextDouble(eps, -1)]), minPoints: random.between(3, 5) };
  };
  return {
    name: `cloud ${dimensions}-d ${metric}`,
    parameters: parameters(4 + 3 * random.next()),
    alternatives: [3, 4, 6, 10].map(parameters),
    places,
    groups: places.map((place) => [place]),
    groupShare: 0.3,
    liveCount,
  };
}

function bandScenario(random: Random, liveCount: number): Scenario {
  const dimensions = random.pick(liveCount > 200 ? [8, 64] : [8, 64, 384]);
  const metric = random.pick(['cosine', 'euclidean'] as const);
  const wanted = metric === 'cosine' ? 0.3 : 0.75;
  const gaussian = (): Float32Array => Float32Array.from({ length: dimensions }, random.gaussian);
  /** So far from a place, in a direction of chance. */
  const awayFrom = (place: Float32Array, distance: number): Float32Array => {
    const [direction, length] = [gaussian(), Math.hypot(...place)];
    const along = place.reduce((sum, value, axis) => sum + value * direction[axis]!, 0) / length / length;
    const across = direction.map((value, axis) => value - along * place[axis]!);
    const acrossLength = Math.hypot(...across);
    if (metric === 'euclidean') return place.map((value, axis) => value + (across[axis]! / acrossLength) * distance);
    const [cosine, scale] = [1 - distance, random.pick([1, 1, 1, 3, 1e-12, 1e12])];
    return place.map((value, axis) => scale * ((value / length) * cosine + (across[axis]! / acrossLength) * Math.sqrt(1 - cosine * cosine)));
  };
  const places = Array.from({ length: 4 }, gaussian);
  while (places.length < 1.5 * liveCount) {
    // Most of what is near a chain's end is well within eps, so that there are cores.
    const off = random.chance(0.5) ? random.pick([0, 1e-12, 1e-9, 1e-8, 1e-7, 1e-6]) * random.pick([-1, 1]) : -wanted * (0.3 + 0.6 * random.next());
    places.push(awayFrom(random.pick(places.slice(-40)), wanted + off));
  }
  const exact = distancesOf(places, metric).filter((distance) => Math.abs(distance - wanted) < 1e-5);
  const parameters = (): ClusteringParameters => {
    const eps = random.pick([wanted, ...exact]);
    return { metric, eps: random.pick([eps, nextDouble(eps, 1), nextDouble(eps, -1)]), minPoints: random.between(2, 4) };
  };
  return {
    name: `band ${dimensions}-d ${metric}`,
    parameters: parameters(),
    alternatives: Array.from({ length: 4 }, parameters),
    places,
    groups: places.map((place) => [place]),
    groupShare: 0.3,
    liveCount,
  };
}

/** Of all pairs, as `eps`, ascending. */
function distancesOf(places: readonly Float32Array[], metric: ClusteringParameters['metric']): Float64Array {
  const distances = new Float64Array((places.length * (places.length - 1)) / 2);
  const norms = places.map((vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)));
  let count = 0;
  for (const [index, left] of places.entries()) {
    for (let other = 0; other < index; other++) {
      const right = places[other]!;
      let sum = 0;
      for (let axis = 0; axis < left.length; axis++) sum += metric === 'cosine' ? left[axis]! * right[axis]! : (left[axis]! - right[axis]!) * (left[axis]! - right[axis]!);
      distances[count++] = metric === 'cosine' ? 1 - sum / (norms[index]! * norms[other]!) : Math.sqrt(sum);
    }
  }
  return distances.sort();
}

/** Some of the distances at which a place has about `degree` neighbours on average, as `eps`. */
function distancesAround(distances: Float64Array, placeCount: number, degree: number): number[] {
  const middle = Math.min(distances.length - 20, Math.round((placeCount * degree) / 2));
  return [...distances.slice(middle, middle + 20)].filter((distance) => distance > 1e-6);
}

/** Chosen so that the order of UTF-8 bytes is not that of UTF-16 units. */
const prefixes = ['a', 'Z', '\u{e9}', '\u{ffee}', '\u{1f600}', '~'];

export function itemIdFor(index: number): string {
  return `${prefixes[index % prefixes.length]!}/${index}`;
}

/** The record that a scenario starts with: enough items at once to be near `liveCount`. */
export function firstStep(scenario: Scenario, random: Random): Step {
  const places = random.shuffle(scenario.places).slice(0, Math.min(390, scenario.liveCount));
  return { kind: 'apply', mutations: places.map((vector, index) => ({ kind: 'insert', itemId: itemIdFor(index), vector })) };
}

export function nextStep(scenario: Scenario, live: Live, random: Random): Step {
  if (random.chance(0.015)) {
    return {
      kind: 'rebuild',
      parameters: random.chance(0.4) ? scenario.parameters : random.pick(scenario.alternatives),
      mutations: random.chance(0.5) ? singleMutations(scenario, live, random) : [],
    };
  }
  if (random.chance(scenario.groupShare)) return { kind: 'apply', mutations: groupMutations(scenario, live, random) };
  const choice = random.next();
  if (choice < 0.2) return { kind: 'apply', mutations: severalMutations(scenario, live, random) };
  if (choice < 0.4) return { kind: 'apply', mutations: removeDuplicate(live, random) };
  return { kind: 'apply', mutations: singleMutations(scenario, live, random) };
}

function freeId(live: Live, random: Random, taken: ReadonlySet<string> = new Set()): string {
  for (;;) {
    const itemId = itemIdFor(random.below(900));
    if (!live.has(itemId) && !taken.has(itemId)) return itemId;
  }
}

function singleMutations(scenario: Scenario, live: Live, random: Random): Mutation[] {
  const ids = [...live.keys()];
  const vector = random.pick(scenario.places);
  const shrink = live.size > scenario.liveCount || live.size >= 395;
  if (ids.length > 0 && random.chance(0.2)) return [{ kind: 'insert', itemId: random.pick(ids), vector }];
  if (ids.length === 0 || random.chance(shrink ? 0.3 : live.size < 70 ? 0.9 : 0.6)) return [{ kind: 'insert', itemId: freeId(live, random), vector }];
  return [{ kind: 'remove', itemId: random.pick(ids), told: random.chance(0.5) }];
}

/** Toggles one to four groups: whole ones leave, absent ones enter, broken ones are mostly made whole. */
function groupMutations(scenario: Scenario, live: Live, random: Random): Mutation[] {
  const mutations: Mutation[] = [];
  const taken = new Set<string>();
  let liveCount = live.size;
  for (const group of random.shuffle(scenario.groups).slice(0, random.pick([1, 1, 2, 3, 4]))) {
    const present = [...live].filter(([itemId, vector]) => !taken.has(itemId) && group.includes(vector));
    const absent = group.filter((place) => present.every(([, vector]) => vector !== place));
    const enters = absent.length > 0 && (present.length === 0 || random.chance(0.8)) && liveCount + absent.length < 395;
    if (enters) {
      for (const vector of absent) mutations.push({ kind: 'insert', itemId: freeId(live, random, taken), vector });
    } else if (liveCount - present.length >= 60) {
      for (const [itemId] of present) mutations.push({ kind: 'remove', itemId, told: random.chance(0.5) });
    }
    for (const { itemId } of mutations) taken.add(itemId);
    liveCount += enters ? absent.length : -present.length;
  }
  return mutations;
}

/** A record that does much at once, some of it in vain: what enters and leaves again, what leaves twice, what is not there. */
function severalMutations(scenario: Scenario, live: Live, random: Random): Mutation[] {
  const mutations: Mutation[] = [];
  const ids = [...live.keys()];
  for (let count = random.between(2, 12); count > 0; count--) {
    const known = mutations.length > 0 && random.chance(0.3) ? random.pick(mutations).itemId : undefined;
    const itemId = known ?? (ids.length > 0 && random.chance(0.6) ? random.pick(ids) : itemIdFor(random.below(900)));
    mutations.push(
      random.chance(live.size > scenario.liveCount ? 0.35 : 0.55)
        ? { kind: 'insert', itemId, vector: random.pick(scenario.places) }
        : { kind: 'remove', itemId, told: random.chance(0.5) },
    );
  }
  return mutations;
}

/** Removes one of two items with the same vector; where there is none, makes one. */
function removeDuplicate(live: Live, random: Random): Mutation[] {
  const byPlace = Map.groupBy(live, ([, vector]) => vector);
  const shared = [...byPlace.values()].filter((items) => items.length > 1);
  if (shared.length > 0) return [{ kind: 'remove', itemId: random.pick(random.pick(shared))[0], told: true }];
  const [, vector] = random.pick([...live, ['', undefined] as const]);
  return vector === undefined ? [] : [{ kind: 'insert', itemId: freeId(live, random), vector }];
}
