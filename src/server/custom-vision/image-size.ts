/** Width and height of an image as it is looked at: turned by what its EXIF says. Of one that a model has decoded. */
import sharp from 'sharp';

export async function uprightSize(bytes: Buffer): Promise<{ readonly width: number; readonly height: number }> {
  const { autoOrient } = await sharp(bytes).metadata();
  return autoOrient;
}
