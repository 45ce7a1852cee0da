/** Lets work begin in the order in which it came, as long as all that is under way has not more pixels than allowed. */

export type PixelBudget = {
  /** Runs `work` when there is room; with nothing under way there is room for anything. */
  readonly spend: <Result>(pixels: number, work: () => Promise<Result>) => Promise<Result>;
};

export function createPixelBudget(pixelsMax: number): PixelBudget {
  const waiting: { readonly pixels: number; readonly begin: () => void }[] = [];
  let underWay = 0;
  const beginWaiting = (): void => {
    for (let first = waiting[0]; first !== undefined && (underWay === 0 || underWay + first.pixels <= pixelsMax); first = waiting[0]) {
      waiting.shift();
      underWay += first.pixels;
      first.begin();
    }
  };
  return {
    spend: async (pixels, work) => {
      await new Promise<void>((begin) => {
        waiting.push({ pixels, begin });
        beginWaiting();
      });
      try {
        return await work();
      } finally {
        underWay -= pixels;
        beginWaiting();
      }
    },
  };
}
