/** What writes a text token by token, whatever graph is behind it. A row is one text that is being written; rows are written side by side. */

export type Step<State> = {
  /** One number for each token of the vocabulary, row after row: the logits of the next token. Finite. */
  readonly logits: Float32Array;
  readonly rowCount: number;
  readonly state: State;
};

export type Decoder<State> = {
  /** The most tokens that a text can have, the prompt among them. */
  readonly lengthMax: number;
  /** Reads the tokens that the text begins with, in one row. */
  readonly prompt: (tokens: readonly number[]) => Promise<Step<State>>;
  /** Element i follows in row i. */
  readonly next: (state: State, tokens: readonly number[]) => Promise<Step<State>>;
  /** The rows of these numbers, in this order; one may be named repeatedly. */
  readonly select: (state: State, rows: readonly number[]) => State;
};

/** Changes the logits of one row in place, by the tokens that are new in it: what it sets to minus infinity is not written. */
export type AdjustLogits = (logits: Float32Array, newTokens: readonly number[]) => void;

export type GenerationLimits = {
  readonly newTokensMax: number;
  readonly endIds: ReadonlySet<number>;
  readonly adjust?: AdjustLogits | undefined;
};

/** Element `row` of the logits, which share memory with them. */
export function logitsOfRow({ logits, rowCount }: Pick<Step<unknown>, 'logits' | 'rowCount'>, row: number): Float32Array {
  const width = logits.length / rowCount;
  return logits.subarray(row * width, (row + 1) * width);
}
