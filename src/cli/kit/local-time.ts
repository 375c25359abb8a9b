/** A time as the views print it: `2026-11-24T15:00:00Z`, with or without seconds, milliseconds and the `T`. */
const TIME = /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{3})?)?Z/g

/**
 * A text for people with its times in the zone of this machine, each with its offset: `2026-11-24T16:00:00+01:00`. So
 * no command has to know the zone, and a time inside a command that is to be copied stays the same time.
 */
export function inLocalTime(text: string): string {
  return text.replace(TIME, (utc) => {
    const time = new Date(utc)
    const minutes = -time.getTimezoneOffset()
    const shown = new Date(time.getTime() + minutes * 60_000).toISOString().replace('T', utc[10]!)
    return shown.slice(0, utc.length - 1) + offset(minutes)
  })
}

function offset(minutes: number): string {
  const [hours, rest] = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  return `${minutes < 0 ? '-' : '+'}${twoDigits(hours)}:${twoDigits(rest)}`
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}
