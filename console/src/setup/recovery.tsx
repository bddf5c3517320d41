import { RecoveryFlow } from "../ui/recovery";

/** Right after the account: the key on paper. It can be put off; the home page then keeps reminding. */
export function RecoveryStep({ hostname, password, onOver }: { hostname: string; password: string; onOver: () => void }) {
  return <RecoveryFlow makes="key" hostname={hostname} start="making" password={password} later="Later" onLater={onOver} onDone={onOver} />;
}
