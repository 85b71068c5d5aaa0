// The viewer was built without replay: this script only sends the session ID.
{
  const { dataset } = document.currentScript ?? { dataset: {} };
  dataset.origins ??= dataset.toOrigins ?? '';
}
