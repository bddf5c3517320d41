import { render } from "preact";
import { App } from "./app";
import "./style/tokens.css";
import "./style/base.css";
import "./style/controls.css";
import "./style/notices.css";
import "./style/setup.css";
import "./style/home.css";
import "./style/network.css";
import "./style/links.css";
import "./style/wifi.css";
import "./style/storage.css";
import "./style/files.css";
import "./style/backups.css";
import "./style/apps.css";

const place = document.getElementById("app");
if (place) render(<App />, place);
