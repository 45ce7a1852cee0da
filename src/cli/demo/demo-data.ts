/**
 * What the demo publishes: short texts on a dozen subjects and measurements of banknotes, composed here from a seed, so that the demo needs
 * nothing but this program. A few inputs are wrong on purpose, to show dead letters.
 */
import type { RecordEvent, TextEvent } from '../../core/events.generated.ts';
import { seededRandom } from '../../core/seeded-random.ts';

type Subject = { readonly subject: string; readonly frames: readonly string[]; readonly slots: Readonly<Record<string, readonly string[]>> };

const subjects: readonly Subject[] = [
  {
    subject: 'football',
    frames: [
      '{team} won the {cup} final after a late goal by the {player}',
      'The {player} of {team} scored twice in the {cup} match',
      '{team} lose the {cup} game on penalties, their {player} injured',
    ],
    slots: { team: ['United', 'City', 'Rovers', 'Athletic'], cup: ['league', 'championship', 'cup'], player: ['striker', 'captain', 'goalkeeper', 'midfielder'] },
  },
  {
    subject: 'markets',
    frames: [
      'Shares of the {company} {move} after it reported quarterly profit',
      'Stock market: {company} shares {move} as investors weigh earnings',
      'The {company} said revenue rose, and its shares {move} in early trading',
    ],
    slots: { company: ['bank', 'insurer', 'retailer', 'carmaker', 'brewer'], move: ['rose', 'fell', 'jumped', 'slipped'] },
  },
  {
    subject: 'space',
    frames: [
      'The {craft} entered orbit around {planet} after a long voyage',
      'Astronomers saw water ice near the pole of {planet}, says the {craft} team',
      'A rocket launched the {craft} toward {planet} this morning',
    ],
    slots: { craft: ['probe', 'spacecraft', 'orbiter', 'lander'], planet: ['Mars', 'Saturn', 'Venus', 'Jupiter'] },
  },
  {
    subject: 'health',
    frames: [
      'Doctors say the new {drug} lowers the risk of {illness}',
      'A study of patients found that the {drug} helps against {illness}',
      'Hospital trial of a {drug} for {illness} shows fewer symptoms',
    ],
    slots: { drug: ['vaccine', 'medicine', 'therapy', 'tablet'], illness: ['diabetes', 'malaria', 'asthma', 'influenza', 'heart disease'] },
  },
  {
    subject: 'software',
    frames: [
      'The software company released an update that fixes a security {bug} in its {program}',
      'Hackers exploit a {bug} in the popular {program}; users should install the patch',
      'A new version of the {program} closes a dangerous {bug}, developers say',
    ],
    slots: { program: ['browser', 'operating system', 'mail server', 'database'], bug: ['flaw', 'vulnerability', 'hole', 'bug'] },
  },
  {
    subject: 'weather',
    frames: [
      'A {storm} brought heavy rain and flooding to the {place}',
      'Forecasters warn of a {storm} with strong winds along the {place}',
      'Thousands left their homes as the {storm} reached the {place}',
    ],
    slots: { storm: ['hurricane', 'storm', 'typhoon', 'cyclone'], place: ['coast', 'islands', 'valley', 'gulf'] },
  },
  {
    subject: 'cooking',
    frames: [
      'Bake the {dish} with {ingredient} until golden, then let it cool',
      'A simple recipe: {dish} with {ingredient}, butter and a pinch of salt',
      'Mix flour, sugar and {ingredient} for the {dish}',
    ],
    slots: { dish: ['cake', 'pie', 'bread', 'pudding'], ingredient: ['apples', 'cinnamon', 'walnuts', 'lemon'] },
  },
  {
    subject: 'elections',
    frames: [
      'The {leader} won the election with a narrow majority in {body}',
      'Voters go to the polls; the {leader} hopes for a majority in {body}',
      'Opposition parties in {body} call on the {leader} to resign after the vote',
    ],
    slots: { leader: ['president', 'prime minister', 'chancellor'], body: ['parliament', 'the senate', 'the assembly'] },
  },
];

const oddities = [
  'The old clock in the hallway has not ticked since Tuesday',
  'Seven grey umbrellas were left behind on the ferry',
  'My neighbour collects stamps from countries that no longer exist',
  'The violin teacher moved to the third floor',
  'Nobody remembers who painted the fence turquoise',
  'A lighthouse keeper wrote letters he never posted',
];

export function demoTexts(count: number, seed: number): readonly TextEvent[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const subject = pick(subjects, random);
    const odd = index % 40 === 39;
    const text = odd ? pick(oddities, random) : compose(subject, random);
    return textEvent(`t${index}`, index % 150 === 149 ? ' ' : text, { subject: odd ? 'odd' : subject.subject });
  });
}

function textEvent(id: string, text: string, attributes: Readonly<Record<string, string>>): TextEvent {
  return { id, source: 'demo', occurredAt: 0, text, language: 'en', tasks: [], collection: null, attributes, deleted: false };
}

function compose({ frames, slots }: Subject, random: () => number): string {
  return pick(frames, random).replace(/\{(\w+)\}/g, (_whole, slot: string) => pick(slots[slot] ?? [''], random));
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** Centres and spreads of wavelet figures of genuine and forged notes, as they lie roughly in the published data set. */
const notes: Readonly<Record<'genuine' | 'forged', Readonly<Record<string, readonly [mean: number, spread: number]>>>> = {
  genuine: { variance: [2.3, 2], skewness: [4.3, 5.1], curtosis: [0.8, 3.2], entropy: [-1.1, 2.1] },
  forged: { variance: [-1.9, 1.9], skewness: [-1, 5.4], curtosis: [2.1, 5.3], entropy: [-1.2, 2.1] },
};

export function demoRecords(count: number, seed: number): readonly RecordEvent[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const kind = random() < 0.55 ? 'genuine' : 'forged';
    const values = Object.fromEntries(Object.entries(notes[kind]).map(([field, [mean, spread]]) => [field, mean + spread * gaussian(random)]));
    if (index % 100 === 99) delete values['entropy'];
    return { id: `n${index}`, source: 'demo', occurredAt: 0, values, tasks: [], attributes: { kind } };
  });
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
