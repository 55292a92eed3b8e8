/** Seconds of waiting. */
export const sleep = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

/** Runs `turn` again and again, `pause` seconds apart, until it gives true. Errors go to `failed`, and it goes on. */
export async function until(
  turn: () => Promise<boolean | void>,
  pause: number,
  failed: (error: unknown) => void,
): Promise<void> {
  for (;;) {
    try {
      if ((await turn()) === true) return;
    } catch (error) {
      failed(error);
    }
    await sleep(pause);
  }
}
