/**
 * In UTF-16 units, of a prefix, a class or a sentence for one. Patterns of published tokenizers may go back and search again: what a text can
 * cost is bounded by its length.
 */
export const shortTextLengthMax = 2_000;
