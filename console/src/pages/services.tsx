import type { Service } from "../api/types";
import { serviceDetail, serviceName, serviceState } from "../logic/words";
import { StatusWord } from "../ui/status";

/** Every service with its state, the reason for it, and the way to its log. */
export function ServicesCard({ services, onLogs }: { services: Service[]; onLogs: (unit: string) => void }) {
  return (
    <section class="card" aria-labelledby="services-title">
      <h2 id="services-title">Services</h2>
      <ul class="rows">
        {services.map((service) => (
          <ServiceRow key={service.name} service={service} onLogs={onLogs} />
        ))}
      </ul>
    </section>
  );
}

function ServiceRow({ service, onLogs }: { service: Service; onLogs: (unit: string) => void }) {
  const { word, tone } = serviceState(service.state);
  const detail = serviceDetail(service);
  const name = serviceName(service.name);
  return (
    <li class="row">
      <div class="row-main">
        <span class="row-name">
          {name} {name === service.name ? null : <span class="code-name">{service.name}</span>}
        </span>
        <StatusWord tone={tone}>{word}</StatusWord>
        {detail ? <p class="row-detail">{detail}</p> : null}
      </div>
      <button type="button" class="link" onClick={() => onLogs(service.name)}>
        Log<span class="unseen"> of {name}</span>
      </button>
    </li>
  );
}
