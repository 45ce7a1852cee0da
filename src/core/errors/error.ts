/**
 * How every failure of this program is described.
 *
 * An area's file beside this one lists its codes; `catalogue.ts` joins them. `cause` says whose fault it is, because the runner treats a bad
 * input (dead letter, go on) unlike a broken system (wait, or pause the partition: SEMANTICS.md, rule 8).
 */
export type ErrorDescription = {
  readonly cause: 'input' | 'configuration' | 'environment' | 'defect';
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retryable: boolean;
  readonly summary: string;
  readonly remedy: string;
};

export type ErrorArea = Readonly<Record<`LS_${string}`, ErrorDescription>>;

const brand = Symbol.for('labelstream.error');

/** Any failure that a person or a program may have to act on. `code` is stable; `details` names the file, record or setting concerned. */
export class LabelstreamError extends Error {
  override readonly name = 'LabelstreamError';
  readonly [brand] = true;
  readonly code: string;
  readonly description: ErrorDescription;
  readonly details: Readonly<Record<string, string | number | bigint | boolean>>;

  constructor(
    code: string,
    description: ErrorDescription,
    message: string,
    details: Readonly<Record<string, string | number | bigint | boolean>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.description = description;
    this.details = details;
  }

  /** Also those that another copy of the program made, as a plugin may have one. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }

  get retryable(): boolean {
    return this.description.retryable;
  }
}

/** Makes the function with which an area throws its errors: `const logError = errorFactory(logErrors)`. */
export function errorFactory<Area extends ErrorArea>(area: Area) {
  return (
    code: keyof Area & string,
    message: string,
    details?: Readonly<Record<string, string | number | bigint | boolean>>,
    options?: ErrorOptions,
  ): LabelstreamError => new LabelstreamError(code, area[code] as ErrorDescription, message, details, options);
}
