/** What the parent of a benched server may ask of it. */
export type ServerCommands = {
  /** @returns its url. */
  readonly start: { readonly argument: { readonly kind: ServerKind; readonly keySha256: string; readonly directory: string }; readonly result: string };
  /** Of the process since it began, with all its threads. */
  readonly cpuSeconds: { readonly argument: undefined; readonly result: number };
  /** Items of the stream that are asked for all the time from here on, as EXTRACT asks for them, so many in work; 0: none any more. */
  readonly stream: { readonly argument: { readonly inWorkItems: number }; readonly result: undefined };
  /** Answered since the start. */
  readonly streamItems: { readonly argument: undefined; readonly result: number };
};

/** `bare`: what somebody would write with Fastify around the same scheduler. */
export type ServerKind = 'own' | 'bare';
