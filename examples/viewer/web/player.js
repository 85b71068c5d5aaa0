// The session page's player.
import 'rrweb-player/dist/style.css';
import Player from 'rrweb-player';

window.ReplayPlayer = Player;
