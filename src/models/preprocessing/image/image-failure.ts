/**
 * What a failure on an image says, and of whom. Only what libvips and its decoders are known to say of damaged images is the image's doing;
 * a lack of memory, threads or disk is the machine's, and the call is repeated. Of anything else nobody knows: it gets a code of its own, and
 * whether the item or the system is to blame is found out by the model's known answers (failure-blame.ts).
 */
import { LabelstreamError } from '../../../core/errors/error.ts';
import { imageError } from '../../../core/errors/image.ts';

/** libvips, libjpeg, libpng, zlib, V8, the system: a lack of something has many names. */
const lack = /out of memory|insufficient memory|memory error|cannot allocate|allocation failed|unable to create thread|resource temporarily unavailable|no space left|too many open files/i;

/** Each line is of one part of libvips; another line may say more of it. An unsupported format is not among them: the format is known already. */
const ofTheImage = /^(?:Input image exceeds|Input buffer (?:has corrupt header|is empty)|VipsJpeg: |vipspng: |webp2vips: |VipsIcc: |Warning treated as error)/im;

export function imageFailure(error: unknown): LabelstreamError {
  if (error instanceof LabelstreamError) return error;
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  // Node's words for a lack of memory in zlib are "Zlib error".
  if (lack.test(message) || (error instanceof Error && 'code' in error && error.code === 'Z_MEM_ERROR')) return imageError('LS_IMAGE_RESOURCES', `there was not enough to decode the image: ${message}`, {}, { cause: error });
  if (name === 'Error' && ofTheImage.test(message)) return imageError('LS_IMAGE_CORRUPT', `the image cannot be decoded: ${message}`, {}, { cause: error });
  return imageError('LS_IMAGE_DECODER', `the decoder failed on the image: ${name}: ${message}`, {}, { cause: error });
}
