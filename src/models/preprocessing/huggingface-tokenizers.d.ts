// What is used of the library. Its own declarations import each other without file extensions, which TypeScript does not resolve for Node.
declare module '@huggingface/tokenizers' {
  export class Tokenizer {
    constructor(tokenizer: object, config: object);
    encode(text: string, options?: { readonly add_special_tokens?: boolean }): { readonly ids: number[] };
    decode(ids: readonly number[], options?: { readonly skip_special_tokens?: boolean }): string;
    token_to_id(token: string): number | undefined;
  }
}
