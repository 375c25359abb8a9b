import type { Config } from '../../process/config'
import {
  constrainSenderWarnings,
  denyCharsWarnings,
  type HarakaWarning,
} from '../../config/haraka-checks'
import type { HarakaFiles } from '../../config/haraka-files'
import { ok, warn, type Line } from './line'

/** What Haraka's own settings do to our replies and to what reaches us: the same that the plugin warns of. */
export function checkHarakaSettings(files: HarakaFiles): Line[] {
  return [
    ...linesOf(
      constrainSenderWarnings(files),
      ok('constrain_sender', 'no AUTH plugin refuses unregistered senders first'),
    ),
    ...linesOf(
      denyCharsWarnings(files),
      ok('deny_chars', 'refusals go out with the enhanced status code in its place'),
    ),
  ]
}

/** Our own settings that leave the relay unprotected, as they may be meant for a while. */
export function checkOwnSettings({ main, outage }: Config): Line[] {
  const lines: Line[] = []
  if (main.override !== undefined) {
    lines.push(
      warn(
        'mode',
        `[main] override=${main.override}: nothing is refused, whatever the mode of a tenant`,
        'empty override in [main] of unregistered-domain.ini when the emergency is over',
      ),
    )
  } else if (main.mode === 'enforce') {
    lines.push(ok('mode', 'the default mode is enforce'))
  } else {
    lines.push(
      warn(
        'mode',
        `the default mode is ${main.mode}: tenants without a mode of their own are never refused`,
        'set mode=enforce in [main] of unregistered-domain.ini when their domains are registered',
      ),
    )
  }
  if (outage.unregistered === 'accept') {
    lines.push(
      warn(
        'outage',
        'unregistered mail passes uncounted while Redis is away',
        'set unregistered=tempfail in [outage] of unregistered-domain.ini, unless you mean it',
      ),
    )
  }
  return lines
}

function linesOf(warnings: readonly HarakaWarning[], fine: Line): Line[] {
  if (warnings.length === 0) return [fine]
  return warnings.map(({ check, message, advice }) => warn(check, message, advice))
}
