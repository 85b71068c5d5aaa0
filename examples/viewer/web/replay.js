import './tag.js';
import './library/qorrelate.js';
