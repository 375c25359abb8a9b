import type { Alert } from '../records/event'
import { SKIPPED, SWITCHED_OFF, type Channel, type Outcome } from './channel'
import type { ChannelSettings } from './channel-settings'
import { FORMATS } from './formats'
import { mailToOperators, type MailTransport } from './mail'
import { post } from './post'
import { settingsMark, unlessTested } from './test-alert'
import { endsThere, isWanted } from './wanted'

/** The channel of a section `[alert NAME]`. */
export class NamedChannel implements Channel {
  /**
   * @param settings `undefined`: its section is not there any more.
   * @param timeout of an attempt, in ms.
   */
  constructor(
    readonly name: string,
    private readonly settings: () => ChannelSettings | undefined,
    private readonly transport: MailTransport,
    private readonly timeout?: number,
  ) {}

  destination(): string {
    const settings = this.settings()
    return settings ? settings.url || settings.mail.join() : ''
  }

  /** What ends an event may have joined the end of another one. */
  takesJoined(alert: Alert): boolean {
    const settings = this.settings()
    return settings !== undefined && endsThere(settings, alert)
  }

  async deliver(alert: Alert): Promise<Outcome> {
    const settings = this.settings()
    if (!settings || this.destination() === '') return SWITCHED_OFF
    if (!isWanted(settings, alert)) return SKIPPED
    const { url, secret, format, mail } = settings
    return (
      unlessTested(alert, this.name, settingsMark(settings)) ??
      (url === ''
        ? mailToOperators(this.transport, alert, mail, this.name)
        : post(FORMATS[format].load().post(alert, { url, secret, at: new Date() }), this.timeout))
    )
  }
}
