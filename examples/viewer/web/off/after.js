{
  const { qorrelate } = window;
  if (qorrelate && !('failures' in qorrelate)) {
    const nothing = () => {};
    Object.assign(qorrelate, { identify: nothing, addError: nothing, stop: nothing, failures: 0 });
    Object.defineProperty(qorrelate, 'sessionId', { get: qorrelate.id });
    console.info('Qorrelate: this page is not recorded.', WHY);
  }
}
