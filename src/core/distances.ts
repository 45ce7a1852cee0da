/** Of vectors that point opposite ways. */
export const cosineDistanceMax = 2;
