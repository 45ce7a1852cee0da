/** What a pull does unless somebody says otherwise. */

/** Where repositories are looked for. */
export const defaultHub = 'https://huggingface.co';

/** The most bytes of a file whose size neither the list of the repository nor the host tells: as many as an ONNX file can have. */
export const untoldBytesMaxDefault = 2 * 1024 ** 3;
