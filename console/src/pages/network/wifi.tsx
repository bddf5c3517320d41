import { wifiState } from "../../logic/wifi";
import { StatusWord } from "../../ui/status";
import { WifiPart, type WifiProps } from "../../ui/wifi";

/** Wi-Fi, of a box that has a radio. */
export function WifiCard(props: WifiProps) {
  const { word, tone } = wifiState(props.wifi);
  return (
    <section class="card" aria-labelledby="wifi-title">
      <div class="card-head">
        <h2 id="wifi-title">Wi-Fi</h2>
        <StatusWord tone={tone}>{word}</StatusWord>
      </div>
      <WifiPart {...props} />
    </section>
  );
}
