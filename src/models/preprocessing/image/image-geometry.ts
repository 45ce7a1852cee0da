/**
 * Where an image's pixels go. Sizes are rounded as torchvision and Pillow round them, so that a model sees the same cut as where it was made:
 * - cover: the other side of the resized image is cut down to a whole number (torchvision.transforms.Resize); the corner of the middle part is
 *   half the difference, halves to the even number (CenterCrop);
 * - contain: the other side and the corner are rounded, halves to the even number (PIL.ImageOps.contain and pad); at the top left, the corner is 0 (pad with a
 *   centering of 0, 0).
 */

export type ImageSize = { readonly width: number; readonly height: number };
export type Area = ImageSize & { readonly left: number; readonly top: number };

export type ResizePlan = {
  readonly resized: ImageSize;
  /** Cut out of the resized image, or, where `isPadded`, where the resized image stands in the result. */
  readonly area: Area;
  readonly isPadded: boolean;
};

export type ResizeRule = { readonly rule: 'cover' | 'contain' | 'stretch'; readonly shorterSide?: number | undefined; readonly placement?: 'middle' | 'top-left' | undefined };

export function resizePlan(image: ImageSize, target: ImageSize, { rule, shorterSide, placement }: ResizeRule): ResizePlan {
  switch (rule) {
    case 'stretch':
      return { resized: target, area: { ...target, left: 0, top: 0 }, isPadded: false };
    case 'cover': {
      const resized = coveringSize(image, shorterSide === undefined ? target : { width: shorterSide, height: shorterSide });
      return { resized, area: { ...target, left: middle(resized.width - target.width), top: middle(resized.height - target.height) }, isPadded: false };
    }
    case 'contain': {
      const resized = containedSize(image, target);
      const corner = placement === 'top-left' ? { left: 0, top: 0 } : { left: middle(target.width - resized.width), top: middle(target.height - resized.height) };
      return { resized, area: { ...resized, ...corner }, isPadded: true };
    }
  }
}

/** From a place on the target, in its pixels, to the place on the image that is seen there. */
export function placeOnImage(image: ImageSize, target: ImageSize, rule: ResizeRule): (x: number, y: number) => readonly [x: number, y: number] {
  const { resized, area, isPadded } = resizePlan(image, target, rule);
  const [left, top] = isPadded ? [-area.left, -area.top] : [area.left, area.top];
  return (x, y) => [((x + left) * image.width) / resized.width, ((y + top) * image.height) / resized.height];
}

/** Integers, so that nothing is lost before it is cut. */
function coveringSize({ width, height }: ImageSize, target: ImageSize): ImageSize {
  if (width * target.height <= height * target.width) return { width: target.width, height: Math.floor((height * target.width) / width) };
  return { width: Math.floor((width * target.height) / height), height: target.height };
}

function containedSize({ width, height }: ImageSize, target: ImageSize): ImageSize {
  if (width * target.height >= height * target.width) return { width: target.width, height: Math.max(1, roundHalfEven((height / width) * target.width)) };
  return { width: Math.max(1, roundHalfEven((width / height) * target.height)), height: target.height };
}

function middle(difference: number): number {
  return roundHalfEven(difference / 2);
}

/** As Python's round. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
