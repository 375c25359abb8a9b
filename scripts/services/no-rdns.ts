/** A plugin that names every client, so that Haraka asks no name server about each of them. */
export const NO_RDNS = {
  name: 'no_rdns',
  text: "exports.hook_lookup_rdns = (next) => next(OK, 'client.example')\n",
}
