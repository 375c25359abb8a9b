import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { scratchDir } from '../../scripts/services/scratch'

/** What redis-server asks for the time, with the seconds in $CLOCK_AHEAD added. */
const SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *time, void *zone) {
  struct timespec now;
  long ahead = 0;
  FILE *file = fopen(getenv("CLOCK_AHEAD"), "r");
  if (file) {
    if (fscanf(file, "%ld", &ahead) != 1) ahead = 0;
    fclose(file);
  }
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec + ahead;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}
`

/** Why there can be no {@link MovableClock}; false: there can. */
export const noMovableClock = hasCompiler() ? false : 'there is no C compiler (cc)'

/** A clock for a server that is started with `env`; made by a C compiler. */
export class MovableClock {
  private readonly dir = scratchDir('clock')
  private readonly file = path.join(this.dir, 'ahead')
  readonly env: Readonly<Record<string, string>>

  constructor() {
    const [source, library] = [path.join(this.dir, 'clock.c'), path.join(this.dir, 'clock.so')]
    writeFileSync(source, SOURCE)
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, source])
    this.env = { LD_PRELOAD: library, CLOCK_AHEAD: this.file }
    this.set(0)
  }

  /** @param seconds how far it is ahead of the clock of this machine. */
  set(seconds: number): void {
    writeFileSync(this.file, String(seconds))
  }
}

function hasCompiler(): boolean {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
