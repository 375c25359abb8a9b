/** `14:00 UTC` */
export function clock(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 16)} UTC`
}

/** `2026-11-25` */
export function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** `1 recipient`, `1500 recipients` */
export function recipients(count: number): string {
  return counted(count, 'recipient')
}

/** `1 hour`, `2 hours` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
