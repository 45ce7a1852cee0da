/** 16 bits of each stored vector's norm, by point: of two vectors whose bits differ the bytes do. All lie together, unlike the norms, which are asked for with the rows. */
export type PointTags = {
  readonly set: (point: number, norm: number) => void;
  /** Those of the points that have the bits of this one. */
  readonly alike: (point: number, among: Int32Array) => readonly number[];
  readonly memoryBytes: () => number;
};

const none: readonly number[] = [];

export function createPointTags(): PointTags {
  let tags = new Uint16Array(64);
  const norm = new Float64Array(1);
  const bits = new Uint16Array(norm.buffer);
  return {
    set: (point, of) => {
      if (point >= tags.length) {
        const longer = new Uint16Array(Math.ceil((point + 1) * 1.25));
        longer.set(tags);
        tags = longer;
      }
      norm[0] = of;
      // Wherever the machine keeps its lowest bits: these are the ones that differ, and where they are not, more is compared.
      tags[point] = (bits[0] as number) ^ (bits[3] as number);
    },
    alike: (point, among) => {
      const tag = tags[point];
      let found: number[] | undefined;
      for (let index = 0; index < among.length; index++) if (tags[among[index] as number] === tag) (found ??= []).push(among[index] as number);
      return found ?? none;
    },
    memoryBytes: () => tags.byteLength,
  };
}
