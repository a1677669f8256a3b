/** Version of this program; equal to the one in package.json (held by a test). */
export const programVersion = '0.1.0';
