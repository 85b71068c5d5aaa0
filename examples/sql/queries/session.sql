SELECT * FROM traces WHERE attributes['session.id'] = 'abc-123-xyz' ORDER BY start_time;
